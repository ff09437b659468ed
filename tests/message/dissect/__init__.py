"""
Tests of mailgate.message.dissect.
"""
