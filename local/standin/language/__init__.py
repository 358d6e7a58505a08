"""The stand-in for the Python language host: it runs the program and nothing else."""
