"""Networks: what turns slices into features, embeddings and logits."""
