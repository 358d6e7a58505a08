"""The stand-in for `aws eks get-token`, for programs that log in to a recorded cluster."""
