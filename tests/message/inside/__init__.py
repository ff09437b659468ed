"""
Tests of mailgate.message.inside.
"""
