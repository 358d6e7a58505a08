"""What a destroyed stack left on AWS: found by its cluster's tags, and taken away in order."""
