"""The programs that run as the processes of Pods on the local plane."""
