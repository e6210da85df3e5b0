"""The verbs that are not LightningCLI's."""
