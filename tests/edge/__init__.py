"""
Tests of mailgate.edge.
"""
