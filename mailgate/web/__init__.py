"""
The review pages.
"""
