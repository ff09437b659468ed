"""
Tests of mailgate.reporting.
"""
