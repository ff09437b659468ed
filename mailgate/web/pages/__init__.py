"""
The pages of the site, one file for each, and the words they share.
"""
