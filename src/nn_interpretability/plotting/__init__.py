"""Drawing: from the arrays of a figure data file to PDF and PNG, the same bytes each time, without torch.

``data`` holds what is drawn, ``scale`` the limits of the colour scales, ``style`` fonts, sizes and colours,
``heatmaps`` one picture or map, ``panels`` the layout of a group of panels, ``figures`` the files.
"""
