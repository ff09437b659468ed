"""
Tests of the grammar of the DNS.
"""
