"""What may follow: simulated courses of one matter, and the translation of statements that they make exact."""
