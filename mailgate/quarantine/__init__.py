"""
Held messages: kept, released, deleted, purged.
"""
