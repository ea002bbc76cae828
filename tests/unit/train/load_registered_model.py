"""Load a registered model by both of MLflow's ways, check its signature and example, and write its predictions.

Run by the sandbox's Python, which has the whole of MLflow: MODEL FOLDER, with `pictures.npy` in the folder.
"""

import sys

import mlflow
import mlflow.onnx
import mlflow.pyfunc
import numpy as np
import onnxruntime
from mlflow.models import convert_input_example_to_serving_input, validate_serving_input

model, folder = sys.argv[1:]
pictures = np.load(f"{folder}/pictures.npy")
session = onnxruntime.InferenceSession(mlflow.onnx.load_model(model).SerializeToString())
np.save(f"{folder}/onnx.npy", session.run(["output"], {"input": pictures})[0])
loaded = mlflow.pyfunc.load_model(model)
np.save(f"{folder}/pyfunc.npy", loaded.predict(pictures)["output"])

signature = loaded.metadata.signature
assert [tensor.shape for tensor in signature.inputs.inputs] == [(-1, 3, 224, 224)], signature
assert [(tensor.name, tensor.shape) for tensor in signature.outputs.inputs] == [("output", (-1, 4))], signature
served = validate_serving_input(model, convert_input_example_to_serving_input(loaded.input_example))
np.testing.assert_array_equal(served["output"], loaded.predict(loaded.input_example)["output"])
refusal = ""
try:
    loaded.predict(pictures[:, :1])
except mlflow.exceptions.MlflowException as error:
    refusal = str(error)
assert "shape" in refusal, "the signature accepts pictures of one colour"
