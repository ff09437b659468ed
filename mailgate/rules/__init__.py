"""
What people write down about mail: patterns and conditions, each with a score and a sentence.
"""
