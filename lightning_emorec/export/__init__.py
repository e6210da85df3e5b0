"""A trained model as one ONNX file with its front end, its card and its licences."""
