"""From files to batches: label maps, pictures, VOC's layout, transforms, loaders."""
