"""
Tests of mailgate.pipeline.
"""
