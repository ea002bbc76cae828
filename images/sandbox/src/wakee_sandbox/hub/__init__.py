"""A test double of the Hugging Face Hub that works with the unmodified `huggingface_hub` client."""
