"""
mailgate: an anti-spam SMTP proxy and mail gateway on Twisted.
"""

__version__ = "0.1.0"
