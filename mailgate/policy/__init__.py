"""
The policy: it alone turns findings into an action.
"""
