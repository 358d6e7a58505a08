"""The rules as data and pure functions: no Pulumi, nothing but the standard library."""
