"""Dense visual features and image-text embeddings."""
