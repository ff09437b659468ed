"""
What is changed in a message before it is handed on.
"""
