"""What the chapters share, in the order in which the course introduces it."""

from .core import openmp as _openmp  # first: it and the next set the threads of MXNet
from .core.device import physical_cores, try_all_gpus, try_gpu
from .data.labelmap import VOC, VOC_CLASSES, VOC_COLORMAP, VOID, VOID_COLOR, LabelMap, image2label, label2image
from .data.image_io import read_image, read_label
from .data.voc import data_classes, data_root, image_path, label_path, read_images, read_names
from .data.transforms import RGB_MEAN, RGB_STD, denormalize, normalize, rand_crop
from .data.transforms import CenterCrop, ColorJitter, Compose, RandomCrop, RandomFlip, RandomScale
from .data.dataset import VOCSegDataset, data_loader
from .viz.plotting import LiveCurve, add_legend, overlay, show_images
from .models.upsampling import BilinearUpsampling, MatrixUpsampling, bilinear_kernel
from .metrics import SegmentationMetric, baseline, ceiling, confusion_matrix, trimap
from .models.surgery import atrous, convolutionize, receptive_field
from .losses import SoftmaxCrossEntropyLoss
from .models.backbones import backbones, fixed_batch_norm, resnet_features
from .models.efficientnet_lite import EfficientNetLite0
from .models.zoo import get_model, register_model
from .models.fcn_vgg16 import VGG16FCN
from .models.fcn import FCN8s, FCN16s, FCN32s, fcn, start_from
from .models.segnet import SegNet
from .models.unet import UNet
from .models.deconvnet import DeconvNet
from .models.saving import load_model, save_model
from .models.export import export
from .models.deeplab import DeepLab, make_dense
from .models.hed import HED
from .models.gluoncv_nets import ready_made
from .postprocess.crf import DenseCRF, MeanField, WithCRF, search_crf
from .data.scribbles import Relabelled, draw_scribbles
from .postprocess.graphcut import ScribbleCut, max_flow
from .engine.evaluate import confusion, evaluate
from .engine.callbacks import Callback
from .engine.train import seed, train
from .engine.cache import train_or_load
from .engine.predict import predict
from .viz.widgets import Viewer, compare, what_and_where
from .viz.strokes import scribble
