"""
Tests of mailgate.web.
"""
