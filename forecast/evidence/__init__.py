"""From a record to what the likelihood needs: episodes, cells of person-time, and news about the focal matter."""
