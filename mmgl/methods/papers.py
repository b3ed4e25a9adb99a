"""What to cite for each method: whoever publishes results of it owes its authors that."""

from __future__ import annotations

PAPERS: dict[str, str] = {
    "supervised": (
        "Ronneberger O., Fischer P., Brox T.: U-Net: Convolutional networks for biomedical image segmentation. MICCAI "
        "2015. arXiv 1505.04597."
    ),
    "mmgl": (
        "Zhao Z., Hu J., Zeng Z., Yang X., Qian P., Veeravalli B., Guan C.: MMGL: Multi-scale multi-view global-local "
        "contrastive learning for semi-supervised cardiac image segmentation. ICIP 2022, pp. 401-405. doi "
        "10.1109/ICIP46576.2022.9897591."
    ),
    "mcsc": (
        "Liu Q., Gu X., Henderson P., Deligianni F.: Multi-scale cross contrastive learning for semi-supervised "
        "medical image segmentation. BMVC 2023. arXiv 2306.14293."
    ),
    "glrp": (
        "Zhao X., Wang T., Chen J., Jiang B., Li H., Zhang N., Yang G., Chai S.: GLRP: Global and local contrastive "
        "learning based on relative position for medical image segmentation on cardiac MRI. International Journal of "
        "Imaging Systems and Technology 34(2), e22992, 2024. doi 10.1002/ima.22992. A reconstruction from its abstract."
    ),
    "clcc": (
        "Zhao X., Fang C., Fan D.-J., Lin X., Gao F., Li G.: Cross-level contrastive learning and consistency "
        "constraint for semi-supervised medical image segmentation. ISBI 2022. arXiv 2202.04074."
    ),
    "simclr": (
        "Chen T., Kornblith S., Norouzi M., Hinton G.: A simple framework for contrastive learning of visual "
        "representations. ICML 2020. arXiv 2002.05709."
    ),
    "gcl": (
        "Chaitanya K., Erdil E., Karani N., Konukoglu E.: Contrastive learning of global and local features for "
        "medical image segmentation with limited annotations. NeurIPS 2020. arXiv 2006.10511."
    ),
    "pcl": (
        "Zeng D., Wu Y., Hu X., Xu X., Yuan H., Huang M., Zhuang J., Hu J., Shi Y.: Positional contrastive learning "
        "for volumetric medical image segmentation. MICCAI 2021. arXiv 2106.09157."
    ),
    "mean-teacher": (
        "Tarvainen A., Valpola H.: Mean teachers are better role models: Weight-averaged consistency targets improve "
        "semi-supervised deep learning results. NeurIPS 2017. arXiv 1703.01780."
    ),
    "ua-mt": (
        "Yu L., Wang S., Li X., Fu C.-W., Heng P.-A.: Uncertainty-aware self-ensembling model for semi-supervised 3D "
        "left atrium segmentation. MICCAI 2019. arXiv 1907.07034."
    ),
    "cps": (
        "Chen X., Yuan Y., Zeng G., Wang J.: Semi-supervised semantic segmentation with cross pseudo supervision. CVPR "
        "2021. arXiv 2106.01226."
    ),
    "cross-teaching": (
        "Luo X., Hu M., Song T., Wang G., Zhang S.: Semi-supervised medical image segmentation via cross teaching "
        "between CNN and transformer. MIDL 2022. arXiv 2112.04894."
    ),
    "bcp": (
        "Bai Y., Chen D., Li Q., Shen W., Wang Y.: Bidirectional copy-paste for semi-supervised medical image "
        "segmentation. CVPR 2023. arXiv 2305.00673."
    ),
    "unimatch": (
        "Yang L., Qi L., Feng L., Zhang W., Shi Y.: Revisiting weak-to-strong consistency in semi-supervised semantic "
        "segmentation. CVPR 2023. arXiv 2208.09910."
    ),
    "mmgl+": (
        "Our own recipe, without a paper. It builds on: Lee D.-H.: Pseudo-label: the simple and efficient "
        "semi-supervised learning method for deep neural networks. ICML workshop 2013. Xie Q. et al.: Self-training "
        "with noisy student improves ImageNet classification. CVPR 2020. arXiv 1911.04252. Yang L. et al.: ST++: Make "
        "self-training work better for semi-supervised semantic segmentation. CVPR 2022. arXiv 2106.05095. Bai Y. et "
        "al.: Bidirectional copy-paste for semi-supervised medical image segmentation. CVPR 2023. arXiv 2305.00673."
    ),
}
"""By the names of ``METHODS``."""
