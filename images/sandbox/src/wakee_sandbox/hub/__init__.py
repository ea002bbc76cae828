"""A double of the Hugging Face Hub that the unmodified `huggingface_hub` client works with."""
