"""
Tests of mailgate.message.
"""
