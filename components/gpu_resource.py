"""The resource name of whole NVIDIA GPUs, and what Pods say to be let on nodes that have them.

Both as in https://docs.nvidia.com/datacenter/cloud-native/gpu-operator/latest/ and the pool of
`components/gpu_node_pool.py`.
"""

GPU_RESOURCE = "nvidia.com/gpu"
GPU_TOLERATION = {"key": GPU_RESOURCE, "operator": "Exists", "effect": "NoSchedule"}
