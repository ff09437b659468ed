"""
People who review mail: what they are, what they may see and do, and what they have done.
"""
