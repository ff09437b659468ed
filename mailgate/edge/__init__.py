"""
How mail comes in. An edge knows its protocol and nothing of spam.
"""
