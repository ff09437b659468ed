"""
Tests of mailgate.checks.
"""
