"""
Tests of mailgate.hub.
"""
