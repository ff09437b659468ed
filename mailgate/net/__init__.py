"""
Connections to other programs, and processes of ours that are kept apart.
"""
