"""
The half that owns the databases, and the commands that reach it.
"""
