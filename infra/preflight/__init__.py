"""What AWS would refuse late, asked before `pulumi up`: read-only, as whoever calls."""
