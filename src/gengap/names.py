"""Names that planning shares with the packages that compute; this module imports nothing.

Planning knows what a config may name without importing what computes it. Each registry of the
library is held equal to its names here by a test.
"""

KINDS = ("zoo", "pgdl", "checkpoints")
"""Kinds of tasks: networks that are trained here, imported from PGDL's files, or there already."""

FAMILIES = {
    "topology": "gengap.measures.topology",
    "baseline": "gengap.measures.baseline",
    "norms": "gengap.measures.norms",
    "pac_bayes": "gengap.measures.pac_bayes",
    "competition": "gengap.measures.pgdl",
    "curvature": "gengap.measures.curvature",
    "tangent": "gengap.measures.tangent",
    "functional_graph": "gengap.measures.functional_graph",
    "margins": "gengap.measures.margins",
    "sharpness": "gengap.measures.sharpness",
    "response": "gengap.measures.response",
    "unlabelled": "gengap.measures.unlabelled",
    "gradients": "gengap.measures.gradients",
    "information": "gengap.measures.information",
    "weights": "gengap.measures.weights",
    "representations": "gengap.measures.representations",
    "history": "gengap.measures.history",
}
"""Families of measures that come with the library, and the module of each."""

COMPARING_FAMILIES = ("response", "unlabelled")
"""Families that compare a network with its siblings, or see unlabelled inputs; those of a user's
own may do so too."""

RESERVED_FAMILIES = ("all", "all_and_hyper_parameters", "best_single", "combination", "reference")
"""Names that no family has, since rows of the leaderboard have them."""

STAGED_FAMILY = "topology"
"""The family whose stages (activations, diagrams) have rules and files of their own."""

PGDL_NETWORKS = {
    "task1_v4": 96,
    "task2_v1": 54,
    "task4": 96,
    "task5": 64,
    "task6": 96,
    "task7": 48,
    "task8": 64,
    "task9": 32,
}
"""Number of networks of each published task of PGDL (Jiang et al. 2020, arXiv:2012.07976).

The jobs of a task are planned before the first of its files is there.
"""

PGDL_ARCHIVES = {
    "task1_v4": "public_data.zip",
    "task2_v1": "public_data.zip",
    "task4": "phase_one_data.zip",
    "task5": "phase_one_data.zip",
    "task6": "phase_two_data.zip",
    "task7": "phase_two_data.zip",
    "task8": "phase_two_data.zip",
    "task9": "phase_two_data.zip",
}
"""Name of the archive that holds each published task of PGDL."""

PGDL_DATA = {
    "task1_v4": "CIFAR-10",
    "task2_v1": "SVHN",
    "task4": "CINIC-10",
    "task5": "CINIC-10",
    "task6": "Oxford Flowers",
    "task7": "Oxford Pets",
    "task8": "Fashion-MNIST",
    "task9": "CIFAR-10",
}
"""The data that the networks of each published task of PGDL were trained on."""

NETWORK_RECEIPT = "receipt.json"
"""The file in a network's folder that tells what the network was made from."""
DATASET_KEYS = ("train_size", "test_size", "balanced", "classes", "groups", "transforms")
"""Keywords that ``gengap.datasets.load`` takes for every dataset, besides folder and seed."""

DATASETS: dict[str, tuple[str, ...]] = {
    "digits": (),
    "mnist": (),
    "fashion_mnist": (),
    "cifar10": (),
    "cifar100": (),
    "svhn": (),
    "stl10": (),
    "tiny_imagenet": (),
    "iris": (),
    "wine": (),
    "breast_cancer": (),
    "gaussians": (),
    "two_spirals": ("noise",),
    "circles": ("noise",),
    "moons": ("noise",),
    "checkerboard": (),
    "intro1d": (),
    "gauss_mixture": (),
    "hierarchical": (),
    "checkerboard_linear": (),
    "checkerboard_noisy": (),
    "fake_images": (),
}
"""Datasets, and the keywords that each takes besides ``DATASET_KEYS``."""

OFFICIAL_DATASETS = (
    "mnist",
    "fashion_mnist",
    "cifar10",
    "cifar100",
    "svhn",
    "stl10",
    "tiny_imagenet",
)
"""Datasets whose files are downloaded, or put into ``data_dir`` by the user."""

OWN_SUFFIXES = {
    ".npz": "arrays",
    ".safetensors": "arrays",
    ".csv": "table",
    ".parquet": "table",
    ".arrow": "table",
    ".feather": "table",
}
"""Files of a user's own data, by their suffix: what each holds."""

OWN_DATASET_KEYS: dict[str, tuple[str, ...]] = {
    "folder": ("test",),
    "arrays": (
        "test", "inputs", "labels", "test_inputs", "test_labels", "layout", "kind", "target",
    ),
    "table": ("test", "label", "features", "target"),
    "function": ("keywords", "layout", "kind", "target"),
}  # fmt: skip
"""Keywords of a user's own data besides ``from`` and ``DATASET_KEYS``, by what they are in."""

ROW_GROUPS = ("arrays", "table")
"""Own data whose ``groups`` may also be the name of an array or a column."""

LAYOUTS = ("NCHW", "NHWC", "NHW", "NCL", "NLC", "NCDHW", "NDHWC")
"""Orders of the axes of inputs: samples N, channels C, length L, depth D, height H, width W."""

INPUT_KINDS = ("tokens", "vector")
"""What integer inputs (n, d) may be said to be."""

TARGETS = ("class", "number")
"""What labels may be said to be."""

TRANSFORMS: dict[str, tuple[str, ...]] = {
    "resize": ("size",),
    "grey": (),
    "colour": (),
    "normalise": (),
}
"""Transforms of a dataset's inputs, and the keywords that each requires."""

ENGINES = ("fast", "ripser", "gudhi")
"""Engines that compute persistence diagrams; ``auto`` stands for one of them."""

ARCHITECTURES: dict[str, tuple[str, ...]] = {
    "alexnet": ("width",),
    "conv_2": ("width",),
    "conv_4": ("width",),
    "conv_6": ("width",),
    "convnet": ("width", "depth"),
    "densenet121": ("growth",),
    "densenet161": ("growth",),
    "densenet169": ("growth",),
    "densenet201": ("growth",),
    "inception": ("width",),
    "lenet": ("activation", "padding", "pooling"),
    "lenet_10_20_50": (),
    "lenet_300_100": (),
    "masked_dense": ("width", "depth", "kept", "mask_seed"),
    "mlp_mixer": ("width", "depth", "patch"),
    "preact_resnet18": ("width",),
    "preresnet": ("width", "depth"),
    "resnet101": ("width", "activation"),
    "resnet152": ("width", "activation"),
    "resnet18": ("width", "activation"),
    "resnet34": ("width", "activation"),
    "resnet50": ("width", "activation"),
    "vgg11": ("width",),
    "vgg13": ("width",),
    "vgg16": ("width",),
    "vgg19": ("width",),
    "vit": ("width", "depth", "heads", "patch"),
}
"""Named architectures, and the keywords of each besides ``input_shape`` and ``classes``."""

TEMPLATES: dict[str, tuple[str, ...]] = {
    "convolutional": ("width", "depth", "dropout", "batch_normalisation", "activation"),
    "dense": ("width", "depth", "dropout", "batch_normalisation", "activation"),
    "vgg_like": ("width", "depth", "dense_layers", "dropout", "batch_normalisation", "activation"),
    "nin_like": ("width", "depth", "dropout", "batch_normalisation", "activation"),
}
"""Families of networks by width and depth, and the keywords of each."""

_CONVOLUTION = (
    "filters",
    "kernel_size",
    "strides",
    "padding",
    "data_format",
    "dilation_rate",
    "groups",
    "activation",
    "use_bias",
)
_POOLING = ("pool_size", "strides", "padding", "data_format")
_GLOBAL_POOLING = ("data_format", "keepdims")
_RECURRENT = (
    "units",
    "activation",
    "recurrent_activation",
    "use_bias",
    "return_sequences",
    "return_state",
    "go_backwards",
    "stateful",
    "dropout",
    "recurrent_dropout",
)

LAYERS: dict[str, tuple[str, ...]] = {
    "Activation": ("activation",),
    "Add": (),
    "AveragePooling1D": _POOLING,
    "AveragePooling2D": _POOLING,
    "AveragePooling3D": _POOLING,
    "BatchNormalization": ("axis", "momentum", "epsilon", "center", "scale", "renorm"),
    "Concatenate": ("axis",),
    "Conv1D": _CONVOLUTION,
    "Conv2D": _CONVOLUTION,
    "Conv2DTranspose": (
        "filters",
        "kernel_size",
        "strides",
        "padding",
        "output_padding",
        "data_format",
        "dilation_rate",
        "activation",
        "use_bias",
    ),
    "Conv3D": _CONVOLUTION,
    "Dense": ("units", "activation", "use_bias"),
    "DepthwiseConv2D": (
        "kernel_size",
        "strides",
        "padding",
        "depth_multiplier",
        "data_format",
        "dilation_rate",
        "activation",
        "use_bias",
    ),
    "Dropout": ("rate", "noise_shape"),
    "ELU": ("alpha",),
    "Embedding": ("input_dim", "output_dim", "mask_zero"),
    "Flatten": ("data_format",),
    "GRU": (*_RECURRENT, "reset_after"),
    "GaussianNoise": ("stddev",),
    "GlobalAveragePooling1D": _GLOBAL_POOLING,
    "GlobalAveragePooling2D": _GLOBAL_POOLING,
    "GlobalAveragePooling3D": _GLOBAL_POOLING,
    "GlobalMaxPooling1D": _GLOBAL_POOLING,
    "GlobalMaxPooling2D": _GLOBAL_POOLING,
    "GlobalMaxPooling3D": _GLOBAL_POOLING,
    "GroupNormalization": ("groups", "axis", "epsilon", "center", "scale"),
    "LSTM": _RECURRENT,
    "LayerNormalization": ("axis", "epsilon", "center", "scale", "rms_scaling"),
    "LeakyReLU": ("alpha", "negative_slope"),
    "MaxPooling1D": _POOLING,
    "MaxPooling2D": _POOLING,
    "MaxPooling3D": _POOLING,
    "MultiHeadAttention": (
        "num_heads",
        "key_dim",
        "value_dim",
        "dropout",
        "use_bias",
        "use_gate",
        "output_shape",
        "attention_axes",
        "sliding_window",
    ),
    "Multiply": (),
    "PReLU": ("shared_axes",),
    "Permute": ("dims",),
    "ReLU": ("max_value", "negative_slope", "threshold"),
    "Reshape": ("target_shape",),
    "SeparableConv2D": (
        "filters",
        "kernel_size",
        "strides",
        "padding",
        "data_format",
        "dilation_rate",
        "depth_multiplier",
        "activation",
        "use_bias",
    ),
    "Softmax": ("axis",),
    "SpatialDropout1D": ("rate",),
    "SpatialDropout2D": ("rate", "data_format"),
    "ZeroPadding1D": ("padding", "data_format"),
    "ZeroPadding2D": ("padding", "data_format"),
    "ZeroPadding3D": ("padding", "data_format"),
}
"""Keras' layers that a ``model_config`` may list, and the keywords of each."""

MERGING_LAYERS = ("Add", "Concatenate", "Multiply")
"""Layers that join the outputs of several others."""

ENTRY_KEYWORDS = ("name", "inbound_nodes", "trainable")
"""Keywords of every entry of a ``model_config``: what it is called, the names of the entries that
it takes (by default the one before), and whether its parameters are trained."""

ALWAYS_IGNORED_KEYWORDS = ("dtype",)
"""Keywords of every layer that do not change what it computes (``dtype`` must be float32)."""

_NORMALISATION_TRAINING_KEYWORDS = (
    "beta_constraint",
    "beta_initializer",
    "beta_regularizer",
    "gamma_constraint",
    "gamma_initializer",
    "gamma_regularizer",
)

_BIAS_TRAINING_KEYWORDS = (
    "activity_regularizer",
    "bias_constraint",
    "bias_initializer",
    "bias_regularizer",
)

_KERNEL_TRAINING_KEYWORDS = (
    *_BIAS_TRAINING_KEYWORDS,
    "kernel_constraint",
    "kernel_initializer",
    "kernel_regularizer",
)

_DEPTHWISE_TRAINING_KEYWORDS = (
    *_BIAS_TRAINING_KEYWORDS,
    "depthwise_constraint",
    "depthwise_initializer",
    "depthwise_regularizer",
)

_RECURRENT_TRAINING_KEYWORDS = (
    *_KERNEL_TRAINING_KEYWORDS,
    "implementation",
    "recurrent_constraint",
    "recurrent_initializer",
    "recurrent_regularizer",
    "seed",
    "time_major",
    "unroll",
    "use_cudnn",
    "zero_output_for_mask",
)

IGNORED_KEYWORDS: dict[str, tuple[str, ...]] = {
    "BatchNormalization": (
        *_NORMALISATION_TRAINING_KEYWORDS,
        "moving_mean_initializer",
        "moving_variance_initializer",
        "renorm_clipping",
        "renorm_momentum",
        "synchronized",
    ),
    "Conv1D": _KERNEL_TRAINING_KEYWORDS,
    "Conv2D": _KERNEL_TRAINING_KEYWORDS,
    "Conv2DTranspose": _KERNEL_TRAINING_KEYWORDS,
    "Conv3D": _KERNEL_TRAINING_KEYWORDS,
    "Dense": (*_KERNEL_TRAINING_KEYWORDS, "quantization_config"),
    "DepthwiseConv2D": _DEPTHWISE_TRAINING_KEYWORDS,
    "Dropout": ("seed",),
    "Embedding": (
        "activity_regularizer",
        "embeddings_constraint",
        "embeddings_initializer",
        "embeddings_regularizer",
        "input_length",
        "quantization_config",
    ),
    "GRU": _RECURRENT_TRAINING_KEYWORDS,
    "GaussianNoise": ("seed",),
    "GroupNormalization": _NORMALISATION_TRAINING_KEYWORDS,
    "LSTM": (*_RECURRENT_TRAINING_KEYWORDS, "unit_forget_bias"),
    "LayerNormalization": _NORMALISATION_TRAINING_KEYWORDS,
    "MultiHeadAttention": (*_KERNEL_TRAINING_KEYWORDS, "flash_attention", "seed"),
    "PReLU": ("alpha_constraint", "alpha_initializer", "alpha_regularizer"),
    "SeparableConv2D": (
        *_DEPTHWISE_TRAINING_KEYWORDS,
        "pointwise_constraint",
        "pointwise_initializer",
        "pointwise_regularizer",
    ),
    "SpatialDropout1D": ("seed",),
    "SpatialDropout2D": ("seed",),
}
"""Further keywords of single layers that are accepted and not used: they say how Keras starts and
trains the layer, which the training recipe decides here, or how fast it computes.
``quantization_config`` must be null."""

ACTIVATIONS = (
    "elu",
    "gelu",
    "leaky_relu",
    "linear",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "swish",
    "tanh",
)
"""Activation functions, by Keras' names."""

LOSSES = ("cross_entropy", "mse", "hinge", "nll")
GAPS = ("accuracy", "loss", "error")
"""What a gap may be of: training less test accuracy, or test less training loss or root-mean-square
error."""
TEST_LABELS = ("clean", "corrupted")
"""Labels that a zoo's test accuracy may be of: the true ones, or ones corrupted like the training
labels."""
OPTIMISERS = ("sgd", "adam", "adamw")
AUGMENTATIONS = ("crop", "flip")
OWN_INITIALISATION = "own"
"""The initialisation that leaves a network the weights that its own code draws."""
INITIALISATIONS = ("torch", "glorot", "lecun", "he", OWN_INITIALISATION)

TOGETHER = "together"
"""The entry of a zoo's training that says whether networks of one shape are trained at once; it is
no entry of a recipe."""
TOGETHER_KEYS = ("loss", "optimiser", "momentum", "nesterov", "batch_size", "augmentation")
"""Entries in which the recipes of networks agree that are trained at once."""

SCHEDULES: dict[str, dict[str, float | tuple[int, ...]]] = {
    "step": {"every": 30, "factor": 0.1},
    "multistep": {"milestones": (30, 60, 90), "factor": 0.1},
    "cosine": {"lowest": 0.0},
    "linear": {"lowest": 0.0},
    "cyclic": {"peak": 0.4},
    "plateau": {"factor": 0.1, "patience": 10},
}
"""Learning-rate schedules, and the keywords of each with their defaults."""

FULL_BATCH = "full"
"""The batch size that stands for the whole training set."""

STUDY_FILES = (
    "weights",
    "spectra",
    "eigenvectors",
    "alignments",
    "graphs",
    "diagrams",
    "kernels",
    "eigenfunctions",
    "directions",
)
"""What a run of a study writes as files on request."""

SAMPLINGS = ("importance", "uniform")
"""How neurons are drawn."""

FLOAT_KEYS = (
    "dropout",
    "kept",
    "label_corruption",
    "learning_rate",
    "momentum",
    "stop_at_accuracy",
    "stop_at_loss",
    "weight_decay",
)
"""Keys of a network or of its training whose values are floats, also where they are integral."""

INTEGER_KEYS = (
    "batch_size",
    "dense_layers",
    "depth",
    "epochs",
    "growth",
    "heads",
    "mask_seed",
    "patch",
    "width",
)
"""Keys of a network or of its training whose values are integers, also where written as floats."""
NEEDS = (
    "initial", "classes", "fitting_outputs", "images", "float_inputs", "twice_differentiable",
    "history", "snapshots", "siblings", "unlabelled", "diagrams",
)  # fmt: skip
"""What a measure may need of a network and its task, in the order in which it is checked."""

PREDICTED, DECLINED, FORCED = "predicted", "declined", "forced"
"""Verdicts of a prediction: one that stands, none, and one in spite of reasons against it."""

PREDICTION_COLUMNS = (
    "network", "gap", "low", "high", "test_accuracy", "distance_p", "verdict", "reason", "rank",
)  # fmt: skip
"""Columns of ``predictions.csv``, and keys of a prediction that is printed as JSON."""

REFERENCE_FILE = "reference.safetensors"
"""The file of a frozen task, in the task's folder."""

REFERENCE_SUFFIX = ".safetensors"
"""How the name of a file ends that holds a reference."""

REASON_KINDS = {
    "Its training data": "other data",
    "It was trained on another draw": "another draw of the data",
    "It was trained on": "trained otherwise",
    "Its training": "trained otherwise",
    "Its measures were computed": "measured otherwise",
    "It has none": "measures missing",
    "No predictor": "nothing to predict from",
    "It is too far": "too far in its measures",
    "The reference has": "too few networks in the reference",
}
"""Kinds of reasons for which a prediction is declined, by the beginning of their sentence."""


AGREES, DISAGREES, MIXED = "agrees", "disagrees", "mixed"
UNDECIDED, NONE_SEEN, PREMISE_FAILS = "undecided", "none seen", "premise fails"

VERDICTS = (AGREES, DISAGREES, MIXED, UNDECIDED, NONE_SEEN, PREMISE_FAILS)
"""Verdicts on a claim of a paper, see :mod:`gengap.studies.claims`."""


def reason_kind(reason: str) -> str:
    """Return the kind of the first reason for which a prediction is declined.

    Args:
        reason: sentences, as in the column ``reason`` of ``predictions.csv``.

    Returns:
        One of the values of :data:`REASON_KINDS`, or ``other reasons``.
    """
    kinds = (kind for start, kind in REASON_KINDS.items() if reason.startswith(start))
    return next(kinds, "other reasons")
