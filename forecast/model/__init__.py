"""The generative model: priors, hazards, the focal matter's statements, likelihoods, and the story in PyMC."""
