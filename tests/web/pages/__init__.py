"""
Tests of mailgate.web.pages.
"""
