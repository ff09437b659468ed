"""
What is told afterwards: the trace and the log of transactions.
"""
