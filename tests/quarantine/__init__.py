"""
Tests of mailgate.quarantine.
"""
