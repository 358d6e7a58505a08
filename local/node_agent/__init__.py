"""A node agent for machines without containers: Pods run as plain processes in `bwrap` sandboxes.

It speaks to a real Kubernetes API server as a kubelet does; README.md in this folder says what it
honours and what it does not.
"""
