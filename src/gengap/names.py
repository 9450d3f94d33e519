"""Names that planning shares with the packages that compute; this module imports nothing.

Planning knows what a config may name without importing what computes it. Each registry of the
library is held equal to its names here by a test.
"""

FAMILIES = {
    "topology": "gengap.measures.topology",
    "baseline": "gengap.measures.baseline",
    "competition": "gengap.measures.pgdl",
    "curvature": "gengap.measures.curvature",
    "tangent": "gengap.measures.tangent",
    "functional_graph": "gengap.measures.functional_graph",
}
"""Families of measures that come with the library, and the module of each."""

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
    "tiny_imagenet": (),
    "iris": (),
    "gaussians": (),
    "two_spirals": (),
    "circles": (),
    "moons": (),
    "checkerboard": (),
    "intro1d": (),
    "gauss_mixture": (),
    "hierarchical": (),
    "checkerboard_linear": (),
    "checkerboard_noisy": (),
    "fake_images": (),
}
"""Datasets, and the keywords that each takes besides ``DATASET_KEYS``."""

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
    "inception": ("width",),
    "lenet": (),
    "lenet_300_100": (),
    "masked_dense": ("width", "depth", "kept", "mask_seed"),
    "preresnet": ("width", "depth"),
    "resnet18": ("width",),
    "vgg16": ("width",),
}
"""Named architectures, and the keywords of each besides ``input_shape`` and ``classes``."""

TEMPLATES: dict[str, tuple[str, ...]] = {
    "convolutional": ("width", "depth", "dropout", "batch_normalisation", "activation"),
    "dense": ("width", "depth", "dropout", "batch_normalisation", "activation"),
}
"""Families of networks by width and depth, and the keywords of each."""

LAYERS: dict[str, tuple[str, ...]] = {
    "Activation": ("activation",),
    "AveragePooling2D": ("pool_size", "strides", "padding", "data_format"),
    "BatchNormalization": ("axis", "momentum", "epsilon", "center", "scale"),
    "Conv2D": (
        "filters",
        "kernel_size",
        "strides",
        "padding",
        "data_format",
        "dilation_rate",
        "groups",
        "activation",
        "use_bias",
    ),
    "Dense": ("units", "activation", "use_bias"),
    "Dropout": ("rate", "noise_shape"),
    "Flatten": ("data_format",),
    "GlobalAveragePooling2D": ("data_format", "keepdims"),
    "GlobalMaxPooling2D": ("data_format", "keepdims"),
    "LeakyReLU": ("alpha", "negative_slope"),
    "MaxPooling2D": ("pool_size", "strides", "padding", "data_format"),
    "ReLU": ("max_value", "negative_slope", "threshold"),
    "Softmax": ("axis",),
    "ZeroPadding2D": ("padding", "data_format"),
}
"""Keras' layers that a ``model_config`` may list, and the keywords of each."""

ALWAYS_IGNORED_KEYWORDS = ("dtype", "name", "trainable")
"""Keywords of every layer that do not change what it computes (``dtype`` must be float32)."""

_KERNEL_TRAINING_KEYWORDS = (
    "activity_regularizer",
    "bias_constraint",
    "bias_initializer",
    "bias_regularizer",
    "kernel_constraint",
    "kernel_initializer",
    "kernel_regularizer",
)

IGNORED_KEYWORDS: dict[str, tuple[str, ...]] = {
    "BatchNormalization": (
        "beta_constraint",
        "beta_initializer",
        "beta_regularizer",
        "gamma_constraint",
        "gamma_initializer",
        "gamma_regularizer",
        "moving_mean_initializer",
        "moving_variance_initializer",
    ),
    "Conv2D": _KERNEL_TRAINING_KEYWORDS,
    "Dense": _KERNEL_TRAINING_KEYWORDS,
    "Dropout": ("seed",),
}
"""Further keywords of single layers that are accepted and not used: they say how Keras starts and
trains the layer, which the training recipe decides here."""

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
OPTIMISERS = ("sgd", "adam", "adamw")
AUGMENTATIONS = ("crop", "flip")
INITIALISATIONS = ("torch", "glorot", "lecun", "he")

SCHEDULES: dict[str, dict[str, float]] = {
    "step": {"every": 30, "factor": 0.1},
    "cosine": {"lowest": 0.0},
    "plateau": {"factor": 0.1, "patience": 10},
}
"""Learning-rate schedules, and the keywords of each with their defaults."""

SAMPLINGS = ("importance", "uniform")
"""How neurons are drawn."""

FLOAT_KEYS = (
    "dropout",
    "kept",
    "label_corruption",
    "learning_rate",
    "momentum",
    "stop_at_loss",
    "weight_decay",
)
"""Keys of a network or of its training whose values are floats, also where they are integral."""

INTEGER_KEYS = ("batch_size", "depth", "epochs", "growth", "mask_seed", "width")
"""Keys of a network or of its training whose values are integers, also where written as floats."""
NEEDS = (
    "initial", "classes", "fitting_outputs", "images", "float_inputs", "twice_differentiable",
    "history", "snapshots", "siblings", "unlabelled", "diagrams",
)  # fmt: skip
"""What a measure may need of a network and its task, in the order in which it is checked."""
