"""
The statistical classifier: what it looks at in a message, what it has learned, what it says.
"""
