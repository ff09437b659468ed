"""
Tests of the resolver.
"""
