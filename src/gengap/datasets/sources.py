"""Where the official files lie, and how to know them.

SHA-256 of archives and members as published beside the authors' own MD5; those of the MNIST and
Fashion-MNIST files are of the files that carry the published MD5.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class File:
    """An official file: its name, its size in bytes, its SHA-256 in hexadecimal."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Download:
    """An official file to fetch from any of ``urls``; an archive also names what to unpack.

    ``members`` are the only files taken from the archive, where they lie in ``member_folder``.
    """

    file: File
    urls: tuple[str, ...]
    member_folder: str = ""
    members: tuple[File, ...] = ()

    @property
    def contents(self) -> tuple[File, ...]:
        """The files that a reader opens: the archive's members, or the file itself."""
        return self.members or (self.file,)


Source = tuple[Download, ...]

MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)
FASHION_MNIST_MIRRORS = ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",)
CIFAR_FOLDER = "https://www.cs.toronto.edu/~kriz/"
SVHN_FOLDER = "http://ufldl.stanford.edu/housenumbers/"
CIFAR10_BATCH_BYTES = 30_730_000


def _from(folders: tuple[str, ...], name: str, size: int, sha256: str) -> Download:
    """A file of the same name in each of several folders."""
    return Download(File(name, size, sha256), tuple(folder + name for folder in folders))


SOURCES: dict[str, Source] = {
    "mnist": (
        _from(
            MNIST_MIRRORS,
            "train-images-idx3-ubyte.gz",
            9_912_422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        _from(
            MNIST_MIRRORS,
            "train-labels-idx1-ubyte.gz",
            28_881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        _from(
            MNIST_MIRRORS,
            "t10k-images-idx3-ubyte.gz",
            1_648_877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        _from(
            MNIST_MIRRORS,
            "t10k-labels-idx1-ubyte.gz",
            4_542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
    "fashion_mnist": (
        _from(
            FASHION_MNIST_MIRRORS,
            "train-images-idx3-ubyte.gz",
            26_421_880,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        _from(
            FASHION_MNIST_MIRRORS,
            "train-labels-idx1-ubyte.gz",
            29_515,
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        _from(
            FASHION_MNIST_MIRRORS,
            "t10k-images-idx3-ubyte.gz",
            4_422_102,
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        _from(
            FASHION_MNIST_MIRRORS,
            "t10k-labels-idx1-ubyte.gz",
            5_148,
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ),
    "cifar10": (
        Download(
            File(
                "cifar-10-binary.tar.gz",
                170_052_171,
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            ),
            (CIFAR_FOLDER + "cifar-10-binary.tar.gz",),
            member_folder="cifar-10-batches-bin",
            members=(
                File(
                    "data_batch_1.bin",
                    CIFAR10_BATCH_BYTES,
                    "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
                ),
                File(
                    "data_batch_2.bin",
                    CIFAR10_BATCH_BYTES,
                    "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
                ),
                File(
                    "data_batch_3.bin",
                    CIFAR10_BATCH_BYTES,
                    "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
                ),
                File(
                    "data_batch_4.bin",
                    CIFAR10_BATCH_BYTES,
                    "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
                ),
                File(
                    "data_batch_5.bin",
                    CIFAR10_BATCH_BYTES,
                    "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
                ),
                File(
                    "test_batch.bin",
                    CIFAR10_BATCH_BYTES,
                    "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
                ),
            ),
        ),
    ),
    "cifar100": (
        Download(
            File(
                "cifar-100-binary.tar.gz",
                168_513_733,
                "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
            ),
            (CIFAR_FOLDER + "cifar-100-binary.tar.gz",),
            member_folder="cifar-100-binary",
            members=(
                File(
                    "train.bin",
                    153_700_000,
                    "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29",
                ),
                File(
                    "test.bin",
                    30_740_000,
                    "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a",
                ),
            ),
        ),
    ),
    "svhn": (
        _from(
            (SVHN_FOLDER,),
            "train_32x32.mat",
            182_040_794,
            "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
        ),
        _from(
            (SVHN_FOLDER,),
            "test_32x32.mat",
            64_275_384,
            "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
        ),
    ),
}
