"""What every route shares, beneath the resources."""
