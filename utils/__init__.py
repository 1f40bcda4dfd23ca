"""What the chapters share, in the order in which the course meets it."""

from .device import physical_cores, try_all_gpus, try_gpu  # first: it sets MXNet's threads
from .labelmap import VOC, VOC_CLASSES, VOC_COLORMAP, VOID, VOID_COLOR, LabelMap, image2label, label2image
from .pictures import read_image, read_label
from .voc import data_classes, data_root, image_path, label_path, read_images, read_names, normalize, rand_crop
from .voc import RGB_MEAN, RGB_STD
from .dataset import VOCSegDataset, data_loader
from .plotting import LiveCurve, add_legend, overlay, show_images
from .upsampling import BilinearUpsampling, MatrixUpsampling, bilinear_kernel
from .metrics import SegmentationMetric, baseline, ceiling, confusion_matrix, trimap
from .classifiers import atrous, convolutionize, receptive_field
from .losses import SoftmaxCrossEntropyLoss
from .vgg16 import VGG16FCN
from .fcn import FCN8s, FCN16s, FCN32s, fcn, fixed_batch_norm, resnet_features, start_from
from .evaluating import confusion, evaluate
from .training import seed, train
from .keeping import train_or_load
from .predicting import predict
from .live import Viewer, compare
