"""The platform's policy pack: `pulumi preview|up --policy-pack infra/policies`."""
