"""Cross-validation: a `fit` for each fold and seed, and fusion on out-of-fold logits."""
